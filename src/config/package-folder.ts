import { findPackageJSON } from 'node:module';
import { dirname } from 'node:path';

/** The folder of this package's package.json, the same for the sources and for dist/. */
export const packageFolder: string = dirname(findPackageJSON(import.meta.url) ?? '.');
