import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// Types are stripped and code is compiled once, not at every start. The folder is the project's own: a shared one could be filled by others.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/holdfast', import.meta.url)));
await import('./serve.ts');
