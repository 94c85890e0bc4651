// `npm run generate`: the Prisma clients for both databases from the one schema. Runs after every
// install, and needs nothing but what the registry packages hold.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { schemaFor, schemaPath } from '../src/store/migrations/schema.ts';

const require = createRequire(import.meta.url);
const prismaFolder = join(import.meta.dirname, '../prisma');

function prismaCli(): string | undefined {
  try {
    return require.resolve('prisma/build/index.js');
  } catch {
    return undefined;
  }
}

function generate(cli: string, schema: string): void {
  execFileSync(process.execPath, [cli, 'generate', '--schema', schema, '--no-hints'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    // The CLI looks for a schema engine even here and would download one; any executable satisfies
    // it, none is run.
    env: {
      ...process.env,
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
      CHECKPOINT_DISABLE: '1',
    },
  });
}

const cli = prismaCli();
const generated = join(prismaFolder, 'generated');
if (cli === undefined) {
  // Without development dependencies the clients must have been generated before, as in the
  // container image.
  if (!existsSync(join(generated, 'sqlite')))
    throw new Error(
      'The Prisma clients are not generated and the prisma package is not installed: run npm ci with development dependencies once.',
    );
} else {
  rmSync(generated, { recursive: true, force: true });
  mkdirSync(generated, { recursive: true });
  generate(cli, schemaPath);
  const postgresql = join(generated, 'postgresql.prisma');
  writeFileSync(
    postgresql,
    schemaFor('postgresql', readFileSync(schemaPath, 'utf8')).replace(
      './generated/sqlite',
      './postgresql',
    ),
  );
  generate(cli, postgresql);
}
