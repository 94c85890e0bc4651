import type { FastifyRequest } from 'fastify';
import Type, { type TSchema } from 'typebox';
import type { Clock } from '../domain/clock.ts';
import { defined } from '../domain/defined.ts';
import type { RegistrationChange, Registry, Stored } from '../ports/registry.ts';
import { changedMembers } from './changed-members.ts';
import { printable } from './list.ts';
import type { Operation } from './operation.ts';
import { notFound, Problem } from './problem.ts';

/** A kind of registration as a REST resource. */
export interface RestResource<Value, Body extends object> {
  readonly path: string;
  readonly tag: Operation['tag'];
  readonly exampleId: string;
  /** Part of operation names: `Client` for `getClient` and `listClients`. */
  readonly noun: string;
  /** The query parameter that filters lists by name, if there is one. */
  readonly nameParameter?: 'client_name' | 'name';
  /** Descriptions for the OpenAPI document; absent: those of registrations with a secret. */
  readonly about?: { readonly create: string; readonly replace: string; readonly delete: string };
  /** The path parameters of the parent resource, with their schemas. */
  readonly below?: Readonly<Record<string, TSchema>>;
  readonly schema: TSchema;
  readonly patch: TSchema;
  /** The schemas of responses; `read` is for GET of one, if that shows more. */
  readonly answers: { readonly shown: TSchema; readonly changed: TSchema; readonly read?: TSchema };
  /** The registry; `of` finds the one below a parent, or throws Problem. */
  readonly registry:
    | Registry<Value>
    | { of(parameters: Readonly<Record<string, string>>): Promise<Registry<Value>> };
  readonly clock: Clock;
  readonly idOf: (value: Value) => string;
  /**
   * Checks a body against the stored value, if there is one. Only this response shows the members
   * in `once`. Throws Problem.
   */
  readonly read: (
    body: Body,
    stored?: Value,
    parameters?: Readonly<Record<string, string>>,
  ) => Promise<{ readonly value: Value; readonly once?: object }>;
  /** The members of a response besides `managed_by`. */
  readonly show: (stored: Stored<Value>) => object;
  /** Members that only GET of one shows. */
  readonly more?: (value: Value) => Promise<object>;
  /** Members that report a change's consequences for others. */
  readonly consequences?: (value: Value) => Promise<object>;
  /** Turns the stored value into a body, which PATCH changes. */
  readonly toBody: (value: Value) => object;
  /** The audit record of a change, stored in its transaction. */
  readonly recordOf: (
    what: 'created' | 'changed' | 'deleted',
    id: string,
    value?: Value,
    previous?: Value,
  ) => Omit<RegistrationChange, 'at'>;
}

/** The condition of a change. */
export const ifMatch = Type.Object({
  'if-match': Type.Optional(
    Type.String({ description: 'Entity tags, or `*` (RFC 9110 §13.1.1).' }),
  ),
});

/** The conditions of a change to one registration. */
export const conditions = Type.Object({
  ...ifMatch.properties,
  'if-none-match': Type.Optional(
    Type.String({ description: 'Entity tags, or `*` (RFC 9110 §13.1.2).' }),
  ),
});

/** Whether an `If-Match` condition allows changing an entity with this tag. */
export function matches(condition: string | undefined, tag: string): boolean {
  if (condition === undefined || condition === '*') return true;
  return condition.split(',').some((each) => each.trim() === tag);
}

/** Refuses a change under a condition that the stored version does not meet. Throws Problem. */
export function checkConditions({ headers }: ById, found: Stored<unknown>): void {
  const tag = etag(found);
  if (!matches(headers['if-match'], tag))
    throw new Problem(412, 'the registration was changed since it was read');
  const none = headers['if-none-match'];
  if (none === '*' || none?.split(',').some((each) => each.trim().replace(/^W\//, '') === tag))
    throw new Problem(412, 'the registration exists, which If-None-Match excludes');
}

/** A request for one registration. */
export type ById = FastifyRequest<{
  Params: { readonly id: string; readonly [parent: string]: string };
  Body: Record<string, unknown>;
}>;

/** The registry that a request addresses. Throws Problem. */
export async function registryOf<Value>(
  { registry }: Pick<RestResource<Value, never>, 'registry'>,
  { params }: Pick<FastifyRequest, 'params'>,
): Promise<Registry<Value>> {
  return 'of' in registry ? registry.of(params as Record<string, string>) : registry;
}

/** The noun in prose: `resource server` for `ResourceServer`. */
export function inProse(noun: string): string {
  return noun.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).trim();
}

/** The entity tag of a stored registration. */
export function etag({ version }: Stored<unknown>): string {
  return `"${version}"`;
}

/** The path parameters of one registration. */
export function byId({
  noun,
  exampleId,
  below,
}: Pick<RestResource<never, never>, 'noun' | 'exampleId' | 'below'>) {
  const id = printable(`Of the ${inProse(noun)}.`, exampleId);
  return { params: Type.Object({ ...below, id }) };
}

/** The members of a response that shows a registration. */
export function shown<Value>(
  { show }: Pick<RestResource<Value, never>, 'show'>,
  stored: Stored<Value>,
): object {
  return { ...show(stored), ...defined({ managed_by: stored.managedBy }) };
}

/** The audit record of a change, for registrations that the trail knows by id. */
export function recordedById<Value extends object>(
  kind: 'trusted_issuer' | 'trust_rule' | 'authorization_server',
  more: (value: Value) => object,
): RestResource<Value, never>['recordOf'] {
  return (what, id, value, previous) => ({
    event: {
      type: `${kind}_${what}`,
      actor: 'admin',
      detail: {
        id,
        ...(value !== undefined && more(value)),
        ...(what === 'changed' && { members: changedMembers(previous, value) }),
      },
    },
  });
}

/** Reads one registration. Throws Problem. */
export async function getStored<Value>(registry: Registry<Value>, id: string) {
  return (await registry.get(id)) ?? notFound('registration');
}
