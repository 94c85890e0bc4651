import { actingAdmin } from '../../domain/acting-admin.ts';
import type { ClientRegistration } from '../../domain/client-registration.ts';
import type { Registrations } from '../../ports/configuration.ts';
import type { Stored } from '../../ports/registry.ts';
import { clientResource } from '../clients.ts';
import { checkMayChange, checkMayRemove, guardedClients } from '../guarded-clients.ts';
import { listAll } from '../list-all.ts';
import type { ClientBody } from '../schemas.ts';
import { namesPruned, once } from './checks.ts';
import { listIn, type Planner, planDeletion, planOne } from './plan-kind.ts';
import type { Planning } from './planning.ts';

/** Plans clients. `findByAudience`: finds resource servers in their planned state. */
export async function planClients(
  { configuration, prune, options, registrations, faults, add }: Planning,
  findByAudience: Registrations['resourceServers']['findByAudience'],
) {
  const resource = clientResource({
    ...options,
    ...registrations,
    resourceServers: { ...registrations.resourceServers, findByAudience },
  });
  const planner: Planner<ClientRegistration, ClientBody> = {
    kind: 'client',
    resource,
    registry: ({ clients }) => guardedClients(clients),
  };
  const bodies = listIn(configuration, 'clients');
  const declared = new Set(
    bodies.map((body) => (body as { client_id?: string } | null)?.client_id),
  );
  const managed = prune ? await listAll(registrations.clients, resource.idOf, true) : [];
  const pruned = new Map(
    managed
      .filter(({ value }) => !declared.has(value.client_id))
      .map((stored) => [stored.value.client_id, stored]),
  );
  const seen = new Map<string, string>();
  for (const [index, body] of bodies.entries())
    await faults.check(`clients[${index}]`, async (path) => {
      const { client_id: name } = body;
      once(seen, name, { member: 'client_id', path });
      for (const list of ['alt_cnf_holders', 'alt_cnf_requesters'] as const)
        if (body[list]?.some((other) => pruned.has(other)) === true) throw namesPruned(list);
      const stored = await registrations.clients.get(name);
      const { value, change } = await planOne(
        planner,
        { body: asDisabled(body, stored), name },
        stored,
      );
      if (change !== undefined && mayWrite()) checkMayChange(value, stored?.value);
      add(change);
    });
  for (const [name, stored] of pruned) {
    if (mayWrite()) checkMayRemove(stored.value);
    add(planDeletion(planner, name, stored));
  }
  return {
    isPruned: (clientId: string) => pruned.has(clientId),
    exists: async (clientId: string) =>
      declared.has(clientId) ||
      (!pruned.has(clientId) && (await registrations.clients.get(clientId)) !== undefined),
  };
}

/** Readers get all differences; writers get permission errors before any change. */
function mayWrite(): boolean {
  return actingAdmin()?.scopes.includes('configuration:write') === true;
}

/** A file that omits `disabled` must not enable a client that was disabled by hand. */
function asDisabled<Body extends ClientBody>(
  body: Body,
  stored: Stored<ClientRegistration> | undefined,
): Body {
  return stored?.value.disabled === true ? { disabled: true, ...body } : body;
}
