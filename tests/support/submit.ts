// Submits each body with a client whose types openapi-typescript made of the document, and prints the answers.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };
type Submission = components["schemas"]["MatchSubmission"] | components["schemas"]["FeaturesSubmission"];

const [url, token, bodies] = process.argv.slice(2) as [string, string, string];
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });

// What has to be there is enough for the types.
const least: Submission = { match_id: "e0-2026-03-07-alder-birch" };

const answers: unknown[] = [];
for (const body of JSON.parse(bodies) as Submission[]) {
  const { data, error, response } = await client.POST("/predict/async/", { body });
  answers.push({ status: response.status, task_id: data?.task_id, error, least: "match_id" in least });
}
console.log(JSON.stringify(answers));
