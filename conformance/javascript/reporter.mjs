// One line a check for conformance/run, which counts them. A check that was skipped, or a file that could not be
// loaded, is a failure; a file as a whole is no check.

import path from "node:path";

const group = (event) => path.basename(event.data.file ?? "javascript").replace(/\.test\.mjs$/, "");
const isFile = (event) => /\.mjs$/.test(event.data.name);

function reasonOf({ details, skip, todo }) {
  if (skip !== undefined || todo !== undefined) return "skipped";
  const error = details.error?.cause ?? details.error;
  const text = error?.message ?? String(error);
  return error?.code ? `${error.code}: ${text}` : text;
}

export default async function* report(events) {
  for await (const event of events) {
    if (event.type === "test:stderr") yield event.data.message;
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const skipped = event.data.skip !== undefined || event.data.todo !== undefined;
    if (event.type === "test:pass" && !skipped) {
      if (!isFile(event)) yield `pass  ${group(event)}: ${event.data.name}\n`;
    } else {
      yield `FAIL  ${group(event)}: ${event.data.name}\n      ${reasonOf(event.data).replaceAll("\n", "\n      ")}\n`;
    }
  }
}
