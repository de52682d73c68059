// Folds each case that comes on standard input as {snapshot, events}, and prints the results: the law, from Python.

import { fold } from "../../static/js/fold.js";

let text = "";
for await (const chunk of process.stdin) text += chunk;
console.log(JSON.stringify(JSON.parse(text).map(({ snapshot, events }) => fold(snapshot, events))));
