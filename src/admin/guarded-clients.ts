import { actingAdmin } from '../domain/acting-admin.ts';
import { adminAudience, knownAdminScopes } from '../domain/admin-access.ts';
import type { ClientRegistration } from '../domain/client-registration.ts';
import { CorruptRow } from '../domain/oauth-error.ts';
import type { ClientRegistry, NotChanged, RegistrationChange } from '../ports/registry.ts';
import { checkWithinOwn } from './own-limits.ts';
import { Problem } from './problem.ts';

/** Attempts to remove a client that somebody else is changing. */
const tries = 5;

/**
 * Clients, of which those that are admins are made, changed and removed by admins with
 * `admin:grant` alone, and by none who may less than they do or did: whoever can add a key or a
 * secret to a client can be it. It stands before the store, so that no route gets round it.
 */
export function guardedClients<Clients extends ClientRegistry>(clients: Clients): Clients {
  return {
    ...clients,
    async create(value, change) {
      checkLasts(value);
      checkMayGrant([value]);
      return clients.create(value, change);
    },
    async replace(value, found, change) {
      checkLasts(value, found.value);
      // What it was as well: an admin that is demoted now may be restored with a planted key.
      checkMayGrant([value, found.value]);
      return clients.replace(value, found, change);
    },
    async remove(id, change, version) {
      for (let tried = 1; ; tried++) {
        const removed = await removeChecked(clients, id, change, version);
        if (removed !== 'version_mismatch' || version !== undefined || tried === tries)
          return removed;
      }
    },
  };
}

/** Removes the very version that was checked. */
async function removeChecked(
  clients: ClientRegistry,
  id: string,
  change: RegistrationChange,
  version: number | undefined,
): Promise<'removed' | NotChanged> {
  const found = await clients.get(id).catch((fault: unknown) => {
    if (fault instanceof CorruptRow) return fault;
    throw fault;
  });
  if (found instanceof CorruptRow) {
    // Nobody can read what it was.
    checkGrants();
    return clients.remove(id, change, version);
  }
  if (found !== undefined) checkMayGrant([found.value]);
  if (version !== undefined && found?.version !== version)
    return found === undefined ? 'not_found' : 'version_mismatch';
  // No row has the version 0.
  return clients.remove(id, change, found?.version ?? 0);
}

function checkMayGrant(values: readonly ClientRegistration[]): void {
  const admins = values.filter(isAdmin);
  if (admins.length === 0) return;
  checkGrants();
  checkWithinOwn(admins.flatMap(({ admin_scopes: scopes = [] }) => knownAdminScopes(scopes)));
}

/** A client has no end, so nobody whose own access ends makes it an admin or changes one. */
function checkLasts(...values: readonly ClientRegistration[]): void {
  if (values.some(isAdmin) && actingAdmin()?.expiresAt !== undefined)
    throw new Problem(
      403,
      'an admin whose token has expires_at cannot make or change a client that is an admin',
    );
}

function checkGrants(): void {
  if (actingAdmin()?.scopes.includes('admin:grant') !== true)
    throw new Problem(
      403,
      'only an admin with the scope admin:grant can make, change or remove a client that is an admin',
    );
}

function isAdmin(client: ClientRegistration): boolean {
  return client.admin_scopes !== undefined || client.resources?.includes(adminAudience) === true;
}
