import { actingAdmin } from '../domain/acting-admin.ts';
import { adminAudience, knownAdminScopes } from '../domain/admin-access.ts';
import type { ClientRegistration } from '../domain/client-registration.ts';
import type { ClientRegistry } from '../ports/registry.ts';
import { checkWithinOwn } from './admin-tokens.ts';
import { Problem } from './problem.ts';

/**
 * Clients, of which those that are admins are made and changed by admins with `admin:grant` alone,
 * and by none who may less than they: whoever can add a key or a secret to a client can be it. It
 * stands before the store, so that no route gets round it.
 */
export function guardedClients<Clients extends ClientRegistry>(clients: Clients): Clients {
  return {
    ...clients,
    async create(value, change) {
      checkMayGrant(value);
      return clients.create(value, change);
    },
    async replace(value, found, change) {
      checkMayGrant(value, found.value);
      return clients.replace(value, found, change);
    },
  };
}

function checkMayGrant(value: ClientRegistration, before?: ClientRegistration): void {
  if (!isAdmin(value) && !isAdmin(before)) return;
  if (actingAdmin()?.scopes.includes('admin:grant') !== true)
    throw new Problem(
      403,
      'only an admin with the scope admin:grant can make or change a client that is an admin',
    );
  checkWithinOwn(knownAdminScopes(value.admin_scopes ?? []));
}

function isAdmin(client: ClientRegistration | undefined): boolean {
  return client?.admin_scopes !== undefined || client?.resources?.includes(adminAudience) === true;
}
