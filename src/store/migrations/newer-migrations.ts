import { version } from '../../config/package.ts';

/** `STAMP_expand_WORDS`: it only adds, so it does not disturb older releases. */
export const expands: RegExp = /^\d{14}_expand_\w+$/;

/** `STAMP_contract_0_3_0_WORDS`: releases from 0.3.0 on do not use what it removes. */
export const contracts: RegExp = /^\d{14}_contract_(\d+)_(\d+)_(\d+)_\w+$/;

/**
 * Why this release cannot run with a migration that it does not know; undefined if it can. The name
 * tells, because the database holds nothing else of a newer migration.
 */
export function refusalOfNewer(name: string, release: string = version): string | undefined {
  if (expands.test(name)) return undefined;
  const contract = contracts.exec(name);
  if (contract === null)
    return `The database has a migration that this version of Holdfast does not know (${name}): start the newer version, or restore a backup.`;
  const needed = contract.slice(1, 4).map(Number);
  return isAtLeast(release, needed)
    ? undefined
    : `The database has a migration (${name}) that only ${needed.join('.')} and newer versions of Holdfast can run with, and this is ${release}: start one of those, or restore a backup.`;
}

/** A release candidate is older than its release. */
function isAtLeast(release: string, needed: readonly number[]): boolean {
  const [numbers = '', ...candidate] = release.split('-');
  const own = numbers.split('.').map(Number);
  const at = needed.findIndex((number, index) => number !== own[index]);
  if (at === -1) return candidate.length === 0;
  return (own[at] ?? 0) > (needed[at] ?? 0);
}
