import type { TrustedIssuer } from '../domain/trusted-issuer.ts';
import type { ConfigurationChanges, Registrations } from '../ports/configuration.ts';
import type { Registry } from '../ports/registry.ts';
import { listAll } from './list-all.ts';
import { Problem } from './problem.ts';
import { arePrefixesApart, prefixTaken } from './trusted-issuer-request.ts';

/** How often a change is retried after a concurrent one. */
const tries = 10;

/**
 * Keeps the subject prefixes of trusted issuers disjoint under concurrent changes: the check and
 * the change see the same state of all registrations.
 */
export function prefixedIssuers(
  registry: Registry<TrustedIssuer>,
  { registrations, version, commit }: ConfigurationChanges,
): Registry<TrustedIssuer> {
  const { trustedIssuers } = registrations;
  /** Returns the result of `change`; undefined: something else prevents it. */
  const checked = async <T>(
    value: TrustedIssuer,
    isInVain: () => Promise<boolean>,
    change: (of: Registrations['trustedIssuers']) => Promise<T>,
  ): Promise<T | undefined> => {
    for (let tried = 0; tried < tries; tried++) {
      const state = await version();
      const others = await listAll(trustedIssuers, ({ id }) => id);
      if (
        !arePrefixesApart(
          value,
          others.map((other) => other.value),
        )
      )
        throw prefixTaken();
      if (await isInVain()) return undefined;
      let made: T | undefined;
      const isDone = await commit(state, async (of) => {
        made = await change(of.trustedIssuers);
      });
      if (isDone) return made;
    }
    throw new Problem(409, 'the registrations kept changing; try again');
  };
  return {
    ...registry,
    async create(value, change) {
      if (value.subject_prefix === undefined) return registry.create(value, change);
      const isInVain = async () =>
        (await trustedIssuers.findTrustedIssuer(value.issuer)) !== undefined;
      const made = await checked(value, isInVain, async (of) => of.create(value, change));
      return made ?? 'conflict';
    },
    async replace(value, found, change) {
      if (value.subject_prefix === undefined) return registry.replace(value, found, change);
      const isInVain = async () => (await registry.get(value.id))?.version !== found.version;
      const made = await checked(value, isInVain, async (of) => of.replace(value, found, change));
      return made ?? registry.replace(value, found, change);
    },
  };
}
