// Puts markup, styles and program, three.js among it, into the shell of the viewer's page. usage: node build.mjs OUT

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const licence = readFileSync(join(here, "node_modules/three/LICENSE"), "utf-8").trim();
const { outputFiles } = await build({
  entryPoints: [join(here, "src/main.js")],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "ascii",
  legalComments: "none",
  outdir: "out",
  write: false,
});
const text = (suffix) => outputFiles.find((file) => file.path.endsWith(suffix)).text.trim();
const program = `/* Holds three.js.\n${licence}\n*/\n${text(".js")}`;
const style = text(".css");
const hash = (content) => `'sha256-${createHash("sha256").update(content).digest("base64")}'`;
const policy = [
  "default-src 'none'",
  `script-src ${hash(program)}`,
  `style-src ${hash(style)}`,
  "img-src blob: data:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");
const parts = { POLICY: policy, STYLE: style, PROGRAM: program };
const markup = readFileSync(join(here, "index.html"), "utf-8");
const shell = markup.replace(/%(POLICY|STYLE|PROGRAM)%/g, (_, name) => parts[name]);
if (shell.split("%ATLAS%").length !== 2 || /<\/script/i.test(program)) throw new Error("the shell's marks are not unique");
writeFileSync(process.argv[2], shell);
