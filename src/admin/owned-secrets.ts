import Type from 'typebox';
import type { AuditEvent } from '../domain/audit-event.ts';
import type { StoredSecret } from '../domain/client-registration.ts';
import type { Clock } from '../domain/clock.ts';
import type { CredentialUseLog } from '../ports/credential-use-log.ts';
import type { Registry } from '../ports/registry.ts';
import { parameterExamples } from './examples.ts';
import { printable } from './list.ts';
import { notFound, Problem } from './problem.ts';
import { inProse } from './rest-resource.ts';

/** Attempts to change a registration that is being changed concurrently. */
const maxAttempts = 10;

/** The group of these operations in the OpenAPI document. */
export const tag = 'Secrets' as const;

type What = 'created' | 'changed' | 'deleted';
type Detail = NonNullable<AuditEvent['detail']>;

/** A registration with secrets. */
export interface WithSecrets {
  readonly client_id: string;
  readonly clientSecrets: readonly StoredSecret[];
}

/** The kind of registration whose secrets these routes change. */
export interface SecretRoutesOptions<Value extends WithSecrets> {
  /** `/admin/clients` */
  readonly path: string;
  /** Part of operation names: `Client` for `createClientSecret`. */
  readonly noun: 'Client' | 'ResourceServer';
  readonly registry: Registry<Value>;
  readonly credentialUses: CredentialUseLog;
  readonly clock: Clock;
  /** The identity under which uses of its secrets are recorded. */
  readonly identityOf: (value: Value) => string;
  /** Whether it authenticates by secret. */
  readonly takesSecrets: (value: Value) => boolean;
  /** The audit record of a change, stored in its transaction. */
  readonly eventOf: (what: What, value: Value, detail: Detail) => AuditEvent;
}

/** Parameters of a request about the owner. */
export type ById = { Params: { id: string } };
/** Parameters of a request about one secret. */
export type OfSecret = { Params: { id: string; secret_id: string } };

/** The path parameter of the owner of the secrets. */
export function paramsOf(noun: 'Client' | 'ResourceServer') {
  const example = parameterExamples[noun === 'Client' ? 'client' : 'resourceServer'];
  return Type.Object({ id: printable(`Of the ${inProse(noun)}.`, example) });
}

/** The path parameters of one secret. */
export function oneSecretOf(noun: 'Client' | 'ResourceServer') {
  const secret_id = printable('Identifier of the secret.', parameterExamples.secret);
  return Type.Object({ ...paramsOf(noun).properties, secret_id });
}

/** Changes the secrets of a registration; retries after a concurrent change. */
export async function changeSecrets<Value extends WithSecrets>(
  { registry, clock, eventOf, noun }: SecretRoutesOptions<Value>,
  id: string,
  what: What,
  detail: Detail,
  secretsAfter: (value: Value) => readonly StoredSecret[],
): Promise<Value> {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const found = (await registry.get(id)) ?? notFound(inProse(noun));
    const value = { ...found.value, clientSecrets: secretsAfter(found.value) };
    const replaced = await registry.replace(value, found, {
      at: clock(),
      event: eventOf(what, value, detail),
    });
    if (typeof replaced !== 'string') return replaced.value;
  }
  throw new Problem(503, 'the registration is being changed by others; try again');
}

/** The time in seconds since the epoch. */
export function seconds(clock: Clock): number {
  return Math.floor(clock() / 1000);
}

/** Returns a predicate: whether a secret is valid at this time. */
export function isGoodAt(now: number): (secret: StoredSecret) => boolean {
  return ({ expires_at = Number.POSITIVE_INFINITY }) => expires_at > now;
}

/** Refuses an expiry in the past. Throws Problem. */
export function checkNotPast(expiresAt: number | null | undefined, now: number): void {
  if (typeof expiresAt === 'number' && expiresAt <= now)
    throw new Problem(400, 'expires_at is past', 'expires_at');
}

/** The secret as responses show it, without its hash. */
export function show({ hash: _, ...shown }: StoredSecret): object {
  return shown;
}
