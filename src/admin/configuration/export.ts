import { authorizationServerResource } from '../authorization-servers.ts';
import { clientResource } from '../clients.ts';
import { listAll } from '../list-all.ts';
import { terms } from '../pairing-schemas.ts';
import { resourceServerResource } from '../resource-servers.ts';
import { trustRuleResource } from '../trust-rules.ts';
import { trustedIssuerResource } from '../trusted-issuers.ts';
import { allPairings } from './plan-pairings.ts';
import type { ConfigurationOptions } from './planning.ts';

/**
 * Exports all registrations as a configuration declares them, identifiers first and without
 * secrets.
 */
export async function exportConfiguration(options: ConfigurationOptions): Promise<object> {
  const { registrations } = options.configuration;
  const given = { ...options, ...registrations };
  const servers = resourceServerResource(given);
  const clients = clientResource(given);
  const issuers = trustedIssuerResource(given);
  const rules = trustRuleResource(given);
  const others = authorizationServerResource(given);
  const { trustedIssuers, pairings } = registrations;
  const trusted = (await listAll(trustedIssuers, issuers.idOf)).map(async ({ value }) => {
    const below = await listAll(trustedIssuers.rulesOf(value.id), rules.idOf);
    return {
      issuer: value.issuer,
      ...issuers.toBody(value),
      ...(below.length > 0 && { rules: below.map((rule) => rules.toBody(rule.value)) }),
    };
  });
  return {
    resource_servers: (await listAll(registrations.resourceServers, servers.idOf)).map(
      ({ value }) => ({
        audience: value.audience,
        client_id: value.client_id,
        ...servers.toBody(value),
      }),
    ),
    clients: (await listAll(registrations.clients, clients.idOf)).map(({ value }) => {
      const { disabled, ...members } = clients.toBody(value) as { readonly disabled?: boolean };
      const body = { client_id: value.client_id, ...members };
      // Applying an export of an enabled client must not enable it again later.
      return disabled === true ? { ...body, disabled } : body;
    }),
    trusted_issuers: await Promise.all(trusted),
    authorization_servers: (await listAll(registrations.authorizationServers, others.idOf)).map(
      ({ value }) => ({ issuer: value.issuer, ...others.toBody(value) }),
    ),
    pairings: (await allPairings(pairings))
      .filter(({ revokedAt }) => revokedAt === undefined)
      .map(terms),
  };
}
