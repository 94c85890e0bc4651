import cluster from 'node:cluster';
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import { answerArguments } from './cli/command-line.ts';

// Compiled once, not at every start. The folder is the project's own: others could fill a shared one.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/holdfast', import.meta.url)));
// A worker has its number as an argument.
const answer = cluster.isWorker ? undefined : answerArguments(process.argv.slice(2));
if (answer !== undefined) {
  process[answer.exitCode === 0 ? 'stdout' : 'stderr'].write(answer.text);
  process.exit(answer.exitCode);
}
await import('./cli/serve.ts');
