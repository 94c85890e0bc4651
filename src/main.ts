import cluster from 'node:cluster';
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import { answerArguments } from './cli/command-line.ts';

// Types are stripped and code is compiled once, not at every start. The folder is the project's own: a shared one could be filled by others.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/holdfast', import.meta.url)));
// Who imports something before the server, a tracer or a test, means its modules: a bundle has none to replace.
const preloaded = /(^|\s)(--import|--require|-r|--loader|--experimental-loader)\b/.test(
  [...process.execArgv, process.env['NODE_OPTIONS']].join(' '),
);
// A worker has its number as an argument.
const answer = cluster.isWorker ? undefined : answerArguments(process.argv.slice(2));
if (answer !== undefined) {
  process[answer.exitCode === 0 ? 'stdout' : 'stderr'].write(answer.text);
  process.exit(answer.exitCode);
}
const bundle = preloaded ? undefined : (await import('../scripts/manifest.ts')).freshBundle();
await (bundle === undefined ? import('./cli/serve.ts') : import(bundle));
