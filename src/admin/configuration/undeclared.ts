import { adminAudience } from '../../domain/admin-access.ts';
import type { Fault } from '../schema-fault.ts';
import type { Configuration } from './schemas.ts';

/** The names of what is registered at the server. */
interface Registered {
  readonly clients: readonly string[];
  readonly audiences: readonly string[];
}

/**
 * Lists references to registrations that are neither declared nor, if that is known, registered.
 * The configuration must have no faults.
 */
export function undeclared(
  configuration: Configuration,
  registered?: Registered,
): readonly Fault[] {
  const { clients = [], resource_servers: servers = [] } = configuration;
  const { trusted_issuers: issuers = [], authorization_servers: others = [] } = configuration;
  const { pairings = [] } = configuration;
  const { clients: ids = [], audiences: known = [] } = registered ?? {};
  const missing =
    registered === undefined
      ? 'is not declared here: it must exist at the server'
      : 'is neither declared here nor registered';
  const all = [...ids, ...clients.map(({ client_id }) => client_id)];
  const client = named('client', new Set(all), missing);
  const audiences = [adminAudience, ...known, ...servers.map(({ audience }) => audience)];
  const audience = named('resource server', new Set(audiences), missing);
  return [
    ...clients.flatMap(({ resources, alt_cnf_holders, alt_cnf_requesters }, index) => [
      ...audience(resources, `clients[${index}].resources`),
      ...client(alt_cnf_holders, `clients[${index}].alt_cnf_holders`),
      ...client(alt_cnf_requesters, `clients[${index}].alt_cnf_requesters`),
    ]),
    ...issuers.flatMap((issuer, index) => [
      ...client(issuer.clients, `trusted_issuers[${index}].clients`),
      ...(issuer.rules ?? []).flatMap(({ client_id, resources }, at) => [
        ...client(client_id, `trusted_issuers[${index}].rules[${at}].client_id`),
        ...audience(resources, `trusted_issuers[${index}].rules[${at}].resources`),
      ]),
    ]),
    ...others.flatMap((other, index) =>
      other.clients.flatMap(({ client_id }, at) =>
        client(client_id, `authorization_servers[${index}].clients[${at}].client_id`),
      ),
    ),
    ...pairings.flatMap(({ requester, holder, resources }, index) => [
      ...client(requester, `pairings[${index}].requester`),
      ...client(holder, `pairings[${index}].holder`),
      ...audience(resources, `pairings[${index}].resources`),
    ]),
  ];
}

/** Reports the names that are not declared. */
function named(what: string, declared: ReadonlySet<string>, missing: string) {
  return (names: string | readonly string[] | undefined, member: string): readonly Fault[] => {
    const one = typeof names === 'string';
    return [names ?? []].flat().flatMap((name, index) =>
      declared.has(name)
        ? []
        : [
            {
              member: one ? member : `${member}[${index}]`,
              detail: `the ${what} ${name} ${missing}`,
            },
          ],
    );
  };
}
