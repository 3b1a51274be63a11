// Reads a description from standard input; says on standard output what a public validator thinks of it.
import { Validator } from "@seriousme/openapi-schema-validator";

let text = "";
for await (const piece of process.stdin) text += piece;
const validator = new Validator();
const result = await validator.validate(JSON.parse(text));
console.log(JSON.stringify({ valid: result.valid, version: validator.version, errors: result.errors ?? [] }));
process.exit(result.valid ? 0 : 1);
