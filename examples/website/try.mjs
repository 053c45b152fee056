// One signup from the command line: node try.mjs build/lib/dripstream.js < order.json
// order.json: {"assessment": {...}, "options": {"url": "...", "secret": "..."}}. Prints what came of it as JSON.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { sendSignup } = await import(pathToFileURL(process.argv[2]).href);
const { assessment, options } = JSON.parse(readFileSync(0, "utf8"));
try {
  console.log(JSON.stringify(await sendSignup(assessment, options)));
} catch (error) {
  console.log(JSON.stringify({ name: error.name, message: error.message, status: error.status, tries: error.tries }));
}
