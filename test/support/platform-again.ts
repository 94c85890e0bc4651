import { type Platform, platformIssuer } from './platform.ts';

/**
 * The platform as it was opened, under another id, on the same server: who tests it next needs no
 * server of his own.
 */
export async function platformAgain(platform: Platform, members: object = {}): Promise<Platform> {
  const { server, key } = platform;
  const sent = async (method: string, path: string, body?: object) => {
    const answer = await server.admin(method, path, body);
    if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
    return answer.body;
  };
  for (const { id } of (await sent('GET', 'trusted-issuers')).items)
    await sent('DELETE', `trusted-issuers/${id}`);
  for (const { client_id } of (await sent('GET', 'clients')).items)
    await sent('DELETE', `clients/${encodeURIComponent(client_id)}`);
  await sent('POST', 'clients', {
    client_id: 'worker',
    token_endpoint_auth_method: 'workload_jwt',
    scope: 'read write',
  });
  const { id } = await sent('POST', 'trusted-issuers', {
    issuer: platformIssuer,
    purposes: ['workload'],
    jwks: { keys: [{ ...key.jwk, kid: 'platform-1' }] },
    ...members,
  });
  return {
    ...platform,
    id,
    rule: async (body) => (await sent('POST', `trusted-issuers/${id}/rules`, body)).id as string,
  };
}
