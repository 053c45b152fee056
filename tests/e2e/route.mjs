// One call of the compiled route: node route.mjs ROUTE.js < body. Prints the answer and what it logged.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const logged = [];
console.error = (...said) => logged.push(said.join(" "));
const { POST } = await import(pathToFileURL(process.argv[2]).href);
const request = new Request("https://www.example.com/api/assessment", { method: "POST", body: readFileSync(0) });
const answer = await POST(request);
console.log(JSON.stringify({ status: answer.status, body: await answer.json(), logged }));
