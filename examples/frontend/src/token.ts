// Access tokens: where they come from, and a fetch that sends them. The client secret stays on the server side: never
// put it into code that a browser loads.

/** Where access tokens come from. */
export type Tokens = {
  /** The token to send now. */
  current(): Promise<string>;
  /** Another token, because the server refused this one; nothing if there is no way to get one. */
  renewed(refused: string): Promise<string | undefined>;
};

export type Credentials = { server: string; clientId: string; clientSecret: string; scope?: string };

type Issued = { token: string; renewAt: number };

/** A token that somebody else got and handed in. */
export function handedIn(token: string): Tokens {
  return { current: async () => token, renewed: async () => undefined };
}

/** Tokens in exchange for a client secret. Each is kept until shortly before its end. */
export function clientCredentials(credentials: Credentials): Tokens {
  let latest: Promise<Issued> | undefined;

  function renew(): Promise<Issued> {
    const attempt = exchange(credentials);
    latest = attempt;
    attempt.catch(() => {
      if (latest === attempt) latest = undefined;
    });
    return attempt;
  }

  // Requests run side by side: the first one that finds the token unusable renews it for all.
  async function usable(isUsable: (issued: Issued) => boolean): Promise<string> {
    const seen = latest ?? renew();
    const issued = await seen;
    if (isUsable(issued)) return issued.token;
    const next = latest === undefined || latest === seen ? renew() : latest;
    return (await next).token;
  }

  return {
    current: () => usable((issued) => Date.now() < issued.renewAt),
    renewed: (refused) => usable((issued) => issued.token !== refused),
  };
}

/** The client-credentials grant of OAuth 2.0 (RFC 6749, section 4.4). */
async function exchange({ server, clientId, clientSecret, scope }: Credentials): Promise<Issued> {
  const form = new URLSearchParams({ grant_type: "client_credentials" });
  if (scope !== undefined) form.set("scope", scope);
  const asked = Date.now();
  const answer = await fetch(`${server}/oauth/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
    body: form,
  });
  const body = (await answer.json()) as Record<string, unknown>;
  if (!answer.ok) throw new Error(`No token: ${body["error_description"] ?? body["error"] ?? answer.status}`);
  const lifetime = Number(body["expires_in"]) * 1000;
  return { token: String(body["access_token"]), renewAt: asked + lifetime - Math.min(30_000, lifetime / 10) };
}

/** A fetch that sends the token, and tries once more with another one if the server refuses it. */
export function authorized(tokens: Tokens): typeof fetch {
  return async (input, init) => {
    const send = (token: string) => {
      const headers = new Headers(init?.headers);
      headers.set("authorization", `Bearer ${token}`);
      return fetch(input, { ...init, headers });
    };
    const token = await tokens.current();
    const answer = await send(token);
    if (answer.status !== 401) return answer;
    const other = await tokens.renewed(token);
    if (other === undefined) return answer;
    await answer.body?.cancel();
    return send(other);
  };
}
