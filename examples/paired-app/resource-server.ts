// A resource server: it lets the authorization server check token and proof (RFC 7662 with dpop_proof, htm, htu), so it sees revocations at once.
import { type Answer, serve } from './http.ts';

/** Starts it; `audience` is known once its URL is, so it is asked for late. */
export async function startResourceServer(issuer: string, clientId: string, secret: string) {
  const server = await serve(async (request): Promise<Answer> => {
    const refuse = (error: string) => ({ status: 401, headers: { 'www-authenticate': `DPoP error="${error}", algs="ES256"` }, body: { error } });
    const [scheme, token] = (request.headers.authorization ?? '').split(' ');
    const proofs = request.headersDistinct['dpop'] ?? [];
    // Every token here is bound: one shown without the DPoP scheme and a proof is stolen or mistaken (RFC 9449 section 7.2).
    if (scheme?.toLowerCase() !== 'dpop' || token === undefined || proofs.length !== 1) return refuse('invalid_token');
    const form = { token, dpop_proof: proofs[0] ?? '', htm: request.method ?? '', htu: `${server.url}${request.url}` };
    const response = await fetch(`${issuer}/introspect`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${clientId}:${secret}`)}` },
      body: new URLSearchParams(form),
    });
    const seen = (await response.json()) as { active?: boolean; sub?: string; proof?: { valid: boolean; presenter?: string; reason?: string } };
    if (seen.active !== true) return refuse('invalid_token');
    if (seen.proof?.valid !== true) return refuse(seen.proof?.reason === 'key_mismatch' ? 'invalid_token' : 'invalid_dpop_proof');
    return { status: 200, body: { calendar_of: seen.sub, presented_by: seen.proof.presenter } };
  });
  return server;
}
