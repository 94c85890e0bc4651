import cluster from 'node:cluster';
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// Compiled once, not at every start. The folder is the project's own: others could fill a shared
// one.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/holdfast', import.meta.url)));
// A worker has its number as an argument. Without arguments the server starts.
const args = cluster.isWorker ? [] : process.argv.slice(2);
if (args.length === 0) await import('./cli/serve.ts');
else {
  const { command } = await import('./cli/command.ts');
  await command(args, new URL('../package.json', import.meta.url));
}
