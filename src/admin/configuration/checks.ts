import type { StoredSecret } from '../../domain/client-registration.ts';
import { matchingSecret } from '../../protocol/client-authentication/client-secret.ts';
import { Faults, Problem } from '../problem.ts';
import type { Fault } from '../schema-fault.ts';

/** Faults of a configuration, each with the path of its member; all are answered at once. */
export interface FaultCollector {
  /** Whether something is known to be wrong at or below this path. */
  readonly has: (path: string) => boolean;
  /** Does this unless the path is faulty already; what it refuses is a fault at the path. */
  readonly check: (path: string, work: () => Promise<void>) => Promise<void>;
  /** Throws Faults when there are any. */
  readonly refuse: () => void;
}

/** Collects faults, beginning with those of the schema; awaits a `turn` before each check. */
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
        await work();
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
 * The body without a secret that the registration has already and that does not expire before
 * `now`, in seconds: so that applying it again changes nothing.
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

/** Refuses a second declaration of one thing. */
export function once(seen: Set<string>, name: string, member: string): void {
  if (seen.has(name)) throw new Problem(400, 'this is declared twice', member);
  seen.add(name);
}

/** A client cannot be named and deleted at once. */
export function namesPruned(member: string): Problem {
  return new Problem(400, 'a client in it would be deleted, for it is not declared', member);
}
