import { actingAdmin } from '../domain/acting-admin.ts';
import { adminAudience, knownAdminScopes } from '../domain/admin-access.ts';
import type { ClientRegistration } from '../domain/client-registration.ts';
import { CorruptRow } from '../domain/oauth-error.ts';
import type { ClientRegistry, NotChanged, RegistrationChange, Stored } from '../ports/registry.ts';
import { checkWithinOwn, ownEnd } from './own-limits.ts';
import { Problem } from './problem.ts';

/** Attempts to remove a client that is being changed concurrently. */
const tries = 5;

/**
 * Lets only admins with `admin:grant` and at least the same scopes create, change or remove a
 * client that is an admin, because adding a key or secret to a client allows impersonating it. It
 * wraps the store, so that no route bypasses it.
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

/** Checks that the admin may create this client, or change it from `before`. Throws Problem. */
export function checkMayChange(value: ClientRegistration, before?: ClientRegistration): void {
  // The previous state too: an admin demoted now may be restored with a planted key.
  const both = before === undefined ? [value] : [value, before];
  checkLasts(...both);
  checkMayGrant(both);
}

/** Checks that the admin may remove this client. Throws Problem. */
export function checkMayRemove(value: ClientRegistration): void {
  checkMayGrant([value]);
}

/** Removes exactly the registration that was checked. `asked`: only if it is still this one. */
async function removeChecked(
  clients: ClientRegistry,
  id: string,
  change: RegistrationChange,
  asked: Stored<ClientRegistration> | undefined,
): Promise<'removed' | NotChanged> {
  const found = await readable(clients, id);
  if (found instanceof CorruptRow) {
    // The row is unreadable, so it counts as an admin.
    checkGrants();
    return clients.remove(id, change, asked);
  }
  if (found === undefined) return 'not_found';
  checkMayRemove(found.value);
  return clients.remove(id, change, asked ?? found);
}

/** Refuses ending the access of an admin with more scopes. Throws Problem. */
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

/** Clients never expire, so an admin with an expiry must not create or change an admin client. */
function checkLasts(...values: readonly ClientRegistration[]): void {
  if (values.some(isAdmin) && ownEnd() !== Infinity)
    throw new Problem(
      403,
      'an admin whose token has expires_at cannot create or change a client that is an admin',
    );
}

function checkGrants(): void {
  if (actingAdmin()?.scopes.includes('admin:grant') !== true)
    throw new Problem(
      403,
      'only an admin with the scope admin:grant can create, change or remove a client that is an admin',
    );
}

function isAdmin(client: ClientRegistration): boolean {
  return client.admin_scopes !== undefined || client.resources?.includes(adminAudience) === true;
}
