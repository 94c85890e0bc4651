import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';

/** The folder of this package's package.json, the same for the sources and for dist/. */
export const packageFolder: string = dirname(findPackageJSON(import.meta.url) ?? '.');

/** The running version of Holdfast. */
export const version: string = (
  JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as { version: string }
).version;
