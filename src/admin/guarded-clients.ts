import { actingAdmin } from '../domain/acting-admin.ts';
import { adminAudience, knownAdminScopes } from '../domain/admin-access.ts';
import type { ClientRegistration } from '../domain/client-registration.ts';
import { CorruptRow } from '../domain/oauth-error.ts';
import type { ClientRegistry, NotChanged, RegistrationChange, Stored } from '../ports/registry.ts';
import { checkWithinOwn, ownEnd } from './own-limits.ts';
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
      checkMayChange(value);
      return clients.create(value, change);
    },
    async replace(value, found, change) {
      checkMayChange(value, found.value);
      return clients.replace(value, found, change);
    },
    async remove(id, change, asked) {
      for (let tried = 1; ; tried++) {
        const removed = await removeChecked(clients, id, change, asked);
        if (removed !== 'version_mismatch' || asked !== undefined || tried === tries)
          return removed;
      }
    },
  };
}

/** Whether the admin may make this of a client that is, or is not there yet. Throws Problem. */
export function checkMayChange(value: ClientRegistration, before?: ClientRegistration): void {
  // What it was as well: an admin that is demoted now may be restored with a planted key.
  const both = before === undefined ? [value] : [value, before];
  checkLasts(...both);
  checkMayGrant(both);
}

/** Whether the admin may remove this client. Throws Problem. */
export function checkMayRemove(value: ClientRegistration): void {
  checkMayGrant([value]);
}

/** Removes the very registration that was checked. `asked`: only if it is still this one. */
async function removeChecked(
  clients: ClientRegistry,
  id: string,
  change: RegistrationChange,
  asked: Stored<ClientRegistration> | undefined,
): Promise<'removed' | NotChanged> {
  const found = await readable(clients, id);
  if (found instanceof CorruptRow) {
    // Nobody can read what it was.
    checkGrants();
    return clients.remove(id, change, asked);
  }
  if (found === undefined) return 'not_found';
  checkMayRemove(found.value);
  return clients.remove(id, change, asked ?? found);
}

/** Nobody ends the access of an admin who may more. Throws Problem. */
export async function checkMayEnd(
  clients: Pick<ClientRegistry, 'get'>,
  clientId: string,
): Promise<void> {
  const found = await readable(clients, clientId);
  if (found instanceof CorruptRow) return checkGrants();
  if (found !== undefined && isAdmin(found.value)) checkScopes([found.value]);
}

async function readable(clients: Pick<ClientRegistry, 'get'>, id: string) {
  return clients.get(id).catch((fault: unknown) => {
    if (fault instanceof CorruptRow) return fault;
    throw fault;
  });
}

function checkMayGrant(values: readonly ClientRegistration[]): void {
  const admins = values.filter(isAdmin);
  if (admins.length === 0) return;
  checkGrants();
  checkScopes(admins);
}

function checkScopes(admins: readonly ClientRegistration[]): void {
  checkWithinOwn(admins.flatMap(({ admin_scopes: scopes = [] }) => knownAdminScopes(scopes)));
}

/** A client has no end, so nobody whose own access ends makes it an admin or changes one. */
function checkLasts(...values: readonly ClientRegistration[]): void {
  if (values.some(isAdmin) && ownEnd() !== Infinity)
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
