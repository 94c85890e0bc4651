import type { StoredSecret } from '../../domain/client-registration.ts';
import type { Registrations } from '../../ports/configuration.ts';
import type { Registry, Stored } from '../../ports/registry.ts';
import { changedMembers } from '../changed-members.ts';
import { Problem } from '../problem.ts';
import type { RestResource } from '../rest-resource.ts';
import { withoutKnownSecret } from './checks.ts';
import type { Configuration, DeclaredKind } from './schemas.ts';

/** A member to change; values of secrets are left out. */
export interface MemberChange {
  readonly member: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** One change of a plan. */
export interface PlannedChange {
  readonly kind: DeclaredKind;
  readonly name: string;
  readonly action: 'create' | 'change' | 'replace' | 'delete';
  readonly members: readonly MemberChange[];
  /** Carries out the change. */
  readonly make: (registrations: Registrations) => Promise<unknown>;
}

/** A kind of registration, as its single operations treat it. */
export interface Planner<Value extends object, Body extends object> {
  readonly kind: DeclaredKind;
  readonly resource: RestResource<Value, Body>;
  readonly registry: (registrations: Registrations) => Registry<Value>;
}

interface Declared<Body> {
  readonly body: Body;
  readonly name: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

/**
 * Checks a declaration as the single operation checks its body, and compares it with what is
 * stored. Returns no change if they agree. Throws Problem.
 */
export async function planOne<Value extends object, Body extends object>(
  { kind, resource, registry }: Planner<Value, Body>,
  { body, name, parameters = {} }: Declared<Body>,
  stored: Stored<Value> | undefined,
): Promise<{ readonly value: Value; readonly change?: PlannedChange }> {
  const { read, toBody, clock } = resource;
  const { client_secret: given } = body as { readonly client_secret?: string };
  const wanted = withoutKnownSecret(body, secretsOf(stored?.value), clock() / 1000);
  const { value: checked, once } = await read(wanted, stored?.value, parameters);
  const isGenerated = once !== undefined && given === undefined;
  if (isGenerated && kind === 'client')
    throw new Problem(
      400,
      'client_secret is required here, because a generated one would not be shown',
      'client_secret',
    );
  // A resource server that never introspects needs no secret.
  const value = isGenerated ? { ...checked, clientSecrets: [] } : checked;
  if (stored === undefined) {
    const members = Object.entries(body).filter(([member]) => !isSecret(member));
    return {
      value,
      change: {
        kind,
        name,
        action: 'create',
        members: members.map(([member, after]) => ({ member, after })),
        make: async (registrations) =>
          registry(registrations).create(value, {
            at: clock(),
            managedBy: 'configuration',
            ...resource.recordOf('created', resource.idOf(value), value),
          }),
      },
    };
  }
  const names = changedMembers(stored.value, value);
  if (names.length === 0) return { value };
  return {
    value,
    change: {
      kind,
      name,
      action: 'change',
      members: memberChanges(names, toBody(stored.value), toBody(value)),
      make: async (registrations) =>
        registry(registrations).replace(value, stored, {
          at: clock(),
          ...resource.recordOf('changed', resource.idOf(value), value, stored.value),
        }),
    },
  };
}

/** Plans a deletion, which fails if the registration has changed since it was read. */
export function planDeletion<Value extends object, Body extends object>(
  { kind, resource, registry }: Planner<Value, Body>,
  name: string,
  stored: Stored<Value>,
): PlannedChange {
  const id = resource.idOf(stored.value);
  return {
    kind,
    name,
    action: 'delete',
    members: [],
    make: async (registrations) =>
      registry(registrations).remove(
        id,
        { at: resource.clock(), ...resource.recordOf('deleted', id) },
        stored,
      ),
  };
}

/** Members before and after the change; a secret only by its name. */
export function memberChanges(
  names: readonly string[],
  before: object,
  after: object,
): readonly MemberChange[] {
  const [old, now] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  return names.map((member) => ({
    member,
    ...(!isSecret(member) && old.has(member) && { before: old.get(member) }),
    ...(!isSecret(member) && now.has(member) && { after: now.get(member) }),
  }));
}

/** A member of a configuration if it is a list, else an empty list. */
export function listIn<Name extends keyof Configuration>(
  configuration: Configuration,
  list: Name,
): NonNullable<Configuration[Name]> {
  const value: unknown = (configuration as Configuration | undefined)?.[list];
  return (Array.isArray(value) ? value : []) as unknown as NonNullable<Configuration[Name]>;
}

function isSecret(member: string): boolean {
  return member === 'client_secret';
}

function secretsOf(value: object | undefined): readonly StoredSecret[] {
  return (
    (value as { readonly clientSecrets?: readonly StoredSecret[] } | undefined)?.clientSecrets ?? []
  );
}
