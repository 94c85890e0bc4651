import { openDatabase } from '../../src/store/connection/database.ts';

// A process of its own: Vite, which runs the set-up of a run, has no `import.meta.resolve`.
for (const url of process.argv.slice(2))
  await (await openDatabase(url, () => undefined)).$disconnect();
