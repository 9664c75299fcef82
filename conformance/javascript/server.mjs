// What every JavaScript check needs to know about the server under test: where it is, one key that it made,
// and the secret of another key, which is well formed but wrong for the first.

function given(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start the checks with conformance/run`);
  return value;
}

export const issuer = given("SERVER_URL");
export const clientId = given("CLIENT_ID");
export const clientSecret = given("CLIENT_SECRET");
export const wrongSecret = given("WRONG_SECRET");

/** The JWT with one more scope in its claims under the old signature. */
export function tampered(jwt) {
  const [header, claims, signature] = jwt.split(".");
  const changed = JSON.parse(Buffer.from(claims, "base64url").toString());
  changed.scope = `${changed.scope} settings:write`;
  return [header, Buffer.from(JSON.stringify(changed)).toString("base64url"), signature].join(".");
}
