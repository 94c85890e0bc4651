import type { ResourceServer } from '../../domain/resource-server.ts';
import { listAll } from '../list-all.ts';
import { Problem } from '../problem.ts';
import { resourceServerResource } from '../resource-servers.ts';
import type { ResourceServerBody } from '../schemas.ts';
import { once } from './checks.ts';
import { listIn, type Planner, planDeletion, planOne } from './plan-kind.ts';
import type { ConfigurationOptions, Planning } from './planning.ts';

/** Plans resource servers; returns the algorithms they need keys for, and how to find them. */
export async function planResourceServers({
  configuration,
  prune,
  options,
  registrations,
  faults,
  add,
}: Planning) {
  const { resourceServers } = registrations;
  const algorithms = new Set<ResourceServer['access_token_signing_alg']>();
  const ensureSigningKey: ConfigurationOptions['ensureSigningKey'] = async (alg) => {
    algorithms.add(alg);
  };
  const resource = resourceServerResource({ ...options, ...registrations, ensureSigningKey });
  const planner: Planner<ResourceServer, ResourceServerBody> = {
    kind: 'resource_server',
    resource,
    registry: (of) => of.resourceServers,
  };
  const [declared, values] = [new Map<string, string>(), new Map<string, ResourceServer>()];
  const [names, takenNames] = [new Map<string, string>(), new Set<string>()];
  for (const [index, body] of listIn(configuration, 'resource_servers').entries())
    await faults.check(`resource_servers[${index}]`, async (path) => {
      const { audience: name } = body;
      once(declared, name, { member: 'audience', path });
      const known = await resourceServers.findByAudience(name);
      const stored = known && (await resourceServers.get(known.id));
      const { value, change } = await planOne(planner, { body, name }, stored);
      values.set(name, value);
      once(names, value.client_id, { member: 'client_id', path });
      if (stored === undefined) takenNames.add(value.client_id);
      add(change);
    });
  const pruned = new Set<string>();
  for (const stored of prune ? await listAll(resourceServers, resource.idOf, true) : [])
    if (!declared.has(stored.value.audience)) {
      pruned.add(stored.value.audience);
      add(planDeletion(planner, stored.value.audience, stored));
    }
  for (const [index, body] of listIn(configuration, 'resource_servers').entries())
    await faults.check(`resource_servers[${index}]`, async () => {
      // The schema, which reports what is no object, was checked above.
      const client_id = (body as typeof body | null)?.client_id;
      if (client_id === undefined || !takenNames.has(client_id)) return;
      const other = await resourceServers.findByClientId(client_id);
      if (other !== undefined && !pruned.has(other.audience))
        throw new Problem(400, 'the identifier is taken', 'client_id');
    });
  /** Finds the planned state; one with a fault counts as absent. */
  const findByAudience = async (audience: string) =>
    declared.has(audience) || pruned.has(audience)
      ? values.get(audience)
      : resourceServers.findByAudience(audience);
  return { algorithms, findByAudience };
}
