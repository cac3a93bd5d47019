// Prints the Khronos validator's report on the GLB files named on the command line, a JSON object by file.
const fs = require("fs");
const { validateBytes } = require("gltf-validator");

const files = process.argv.slice(2);
Promise.all(files.map((file) => validateBytes(new Uint8Array(fs.readFileSync(file)), { maxIssues: 0 }))).then((reports) =>
  console.log(JSON.stringify(Object.fromEntries(reports.map((report, i) => [files[i], report.issues])))),
);
