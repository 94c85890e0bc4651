import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A package whose code is in dist/, or is loaded from beside it. */
export interface UsedPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  /** The texts that its licence wants to travel with it; none where the package has no such file. */
  readonly notices: readonly string[];
}

/**
 * The packages that the bundler put into this folder, by the source maps that it wrote, in the
 * order of their names. Throws when a package names no licence.
 */
export function bundledPackages(root: string): readonly UsedPackage[] {
  const sources = globSync('dist/*.map', { cwd: root }).flatMap(
    (map) => (JSON.parse(readFileSync(join(root, map), 'utf8')) as { sources: string[] }).sources,
  );
  const folders = sources.flatMap(
    (source) => /^\.\.\/(.*node_modules\/(?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? [],
  );
  const packages = [...new Set(folders)].map((folder) => packageIn(join(root, folder)));
  const byId = new Map(packages.map((used) => [`${used.name}@${used.version}`, used]));
  return [...byId].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, used]) => used);
}

function packageIn(folder: string): UsedPackage {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as Partial<UsedPackage>;
  if (name === undefined || version === undefined || typeof license !== 'string')
    throw new Error(`${folder}/package.json lacks its name, version or licence`);
  const notices = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
    .map((file) => readFileSync(join(folder, file), 'utf8').trim());
  return { name, version, license, notices };
}

/** The text that carries the licences of all packages in dist/. */
export function licenceText(root: string): string {
  return bundledPackages(root)
    .map(({ name, version, license, notices }) =>
      [`${'='.repeat(80)}\n${name} ${version} (${license})`, ...notices].join('\n\n'),
    )
    .join('\n\n')
    .concat('\n');
}
