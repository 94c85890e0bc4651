import type { StoredSecret } from '../../domain/client-registration.ts';
import { matchingSecret } from '../../protocol/client-authentication/client-secret.ts';
import { Faults, Problem } from '../problem.ts';
import type { Fault } from '../schema-fault.ts';

/** Collects the faults of a configuration by member path, to report all of them together. */
export interface FaultCollector {
  /** Whether a fault is known at or below this path. */
  readonly has: (path: string) => boolean;
  /** Runs `work` unless the path already has a fault; a refusal becomes a fault at the path. */
  readonly check: (path: string, work: (path: string) => Promise<void>) => Promise<void>;
  /** Throws Faults if there are any. */
  readonly refuse: () => void;
}

/** Collects faults, starting with those of the schema; awaits a `turn` before each check. */
export function faultCollector(known: readonly Fault[], turn: () => Promise<void>): FaultCollector {
  const faults = [...known];
  let forbidden = 0;
  const has = (path: string) =>
    faults.some(
      ({ member }) =>
        member === path || member.startsWith(`${path}.`) || member.startsWith(`${path}[`),
    );
  return {
    has,
    async check(path, work) {
      await turn();
      if (has(path)) return;
      try {
        await work(path);
      } catch (refusal) {
        if (!(refusal instanceof Problem) || refusal.status >= 500) throw refusal;
        const { message: detail } = refusal;
        if (refusal.status === 403) forbidden += 1;
        const below = refusal.faults.map((fault) => ({
          ...fault,
          member: `${path}.${fault.member}`,
        }));
        faults.push(...(below.length > 0 ? below : [{ member: path, detail }]));
      }
    },
    refuse() {
      const [first, ...more] = faults;
      if (first !== undefined) {
        const isForbidden = forbidden === faults.length;
        throw new Faults([first, ...more], isForbidden ? 403 : 400);
      }
    },
  };
}

/**
 * The body without a secret that the registration already has and that is valid at `now`, in
 * seconds, so that applying it again changes nothing.
 */
export function withoutKnownSecret<Body extends { readonly client_secret?: string }>(
  body: Body,
  secrets: readonly StoredSecret[],
  now: number,
): Body {
  const { client_secret: secret, ...others } = body;
  if (secret === undefined) return body;
  return matchingSecret(secrets, secret, now) !== undefined ? (others as Body) : body;
}

/** Refuses a duplicate declaration. `seen`: where each name was declared first. */
export function once(
  seen: Map<string, string>,
  name: string,
  { member, path, what = member }: { member: string; path: string; what?: string },
): void {
  const first = seen.get(name);
  if (first !== undefined)
    throw new Problem(400, `this ${what} is already declared at ${first}`, member);
  seen.set(name, path);
}

/** The refusal of naming a client that would be deleted. */
export function namesPruned(member: string): Problem {
  return new Problem(400, 'a client in it would be deleted, because it is not declared', member);
}
