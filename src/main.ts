import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// Types are stripped and code is compiled once, not at every start. The folder is the project's own: a shared one could be filled by others.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/holdfast', import.meta.url)));
// Who imports something before the server, a tracer or a test, means its modules: a bundle has none to replace.
const preloaded = /(^|\s)(--import|--require|-r|--loader|--experimental-loader)\b/.test(
  [...process.execArgv, process.env['NODE_OPTIONS']].join(' '),
);
const bundle = preloaded ? undefined : (await import('./bundle/manifest.ts')).freshBundle();
await (bundle === undefined ? import('./serve.ts') : import(bundle));
