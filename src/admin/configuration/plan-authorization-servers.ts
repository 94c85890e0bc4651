import type { AuthorizationServer } from '../../domain/authorization-server.ts';
import {
  type AuthorizationServerBody,
  authorizationServerResource,
} from '../authorization-servers.ts';
import { listAll } from '../list-all.ts';
import { namesPruned, once } from './checks.ts';
import { listIn, type Planner, planDeletion, planOne } from './plan-kind.ts';
import type { ConfigurationOptions, Planning } from './planning.ts';

/** Plans other authorization servers. `isPruned`: whether a client will be deleted. */
export async function planAuthorizationServers(
  { configuration, prune, options, registrations, faults, add }: Planning,
  isPruned: (clientId: string) => boolean,
  ensureSigningKey: ConfigurationOptions['ensureSigningKey'],
): Promise<void> {
  const { authorizationServers } = registrations;
  const resource = authorizationServerResource({ ...options, ...registrations, ensureSigningKey });
  const planner: Planner<AuthorizationServer, AuthorizationServerBody> = {
    kind: 'authorization_server',
    resource,
    registry: (of) => of.authorizationServers,
  };
  const declared = new Map<string, string>();
  for (const [index, body] of listIn(configuration, 'authorization_servers').entries())
    await faults.check(`authorization_servers[${index}]`, async (path) => {
      const { issuer: name } = body;
      once(declared, name, { member: 'issuer', path });
      if (body.clients.some(({ client_id }) => isPruned(client_id))) throw namesPruned('clients');
      const known = await authorizationServers.findAuthorizationServer(name);
      const stored = known && (await authorizationServers.get(known.id));
      add((await planOne(planner, { body, name }, stored)).change);
    });
  for (const stored of prune ? await listAll(authorizationServers, resource.idOf, true) : [])
    if (!declared.has(stored.value.issuer)) add(planDeletion(planner, stored.value.issuer, stored));
}
