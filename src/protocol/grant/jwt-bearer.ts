import { type ClientRegistration, names } from '../../domain/client-registration.ts';
import type { GrantHandler } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { Workload } from '../../domain/platform-token.ts';
import { withinRule } from '../../domain/trust-rule.ts';
import type { Ports } from '../../ports/ports.ts';
import { checkSubject } from '../trusted-issuers/check-subject.ts';
import { type MatchPlatformToken, subjectOfMatch } from '../trusted-issuers/platform-tokens.ts';
import {
  type IdentityAssertionOptions,
  identityAssertion,
  isIdentityAssertion,
} from './identity-assertion.ts';
import { grantedScopes } from './scope.ts';
import { targetResourceServer } from './target.ts';

export interface JwtBearerOptions extends IdentityAssertionOptions, Pick<Ports, 'resourceServers'> {
  readonly match: MatchPlatformToken;
}

/**
 * Accepts a platform's token as grant (RFC 7523 §2.1) for the subject that a rule derives from it;
 * without a registered client, the authentication has already verified it. An identity assertion is
 * for a user and a registered client.
 */
export function jwtBearer(options: JwtBearerOptions): GrantHandler {
  const target = targetResourceServer(options);
  const identify = identityAssertion(options);
  return async (request, client) => {
    const assertion = request.parameters.get('assertion');
    if (
      client.workload === undefined &&
      assertion !== undefined &&
      isIdentityAssertion(assertion)
    ) {
      const { registration, boundTo, ...user } = await identify(assertion, client.registration);
      const resourceServer = await target(request, registration);
      return {
        type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        ...user,
        ofUser: true,
        resourceServer,
        scopes: grantedScopes(request.parameters.get('scope'), registration, resourceServer),
        ...(boundTo !== undefined && {
          presentedBy: { token: 'id_jag' as const, keys: [boundTo] },
        }),
      };
    }
    const { registration, workload } =
      client.workload === undefined
        ? await asGrant(assertion, client.registration, options)
        : { registration: client.registration, workload: client.workload };
    const { subject, byRule, issuer } = workload;
    await checkSubject('grant_assertion', subject, issuer, options);
    const resourceServer = await target(request, registration);
    return {
      type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      subject,
      ofWorkload: true,
      resourceServer,
      scopes: grantedScopes(request.parameters.get('scope'), registration, resourceServer),
      authority: byRule.rule,
      byRule,
    };
  };
}

async function asGrant(
  assertion: string | undefined,
  client: ClientRegistration,
  { match }: JwtBearerOptions,
): Promise<{ readonly registration: ClientRegistration; readonly workload: Workload }> {
  if (assertion === undefined) throw new OAuthError('grant_assertion_missing');
  const matched = await match(assertion, 'grant_assertion');
  const { rule, byRule, issuer } = matched;
  if (rule.client_id !== undefined && !names([rule.client_id], rule.listed, client))
    throw new OAuthError('grant_assertion_client_mismatch');
  const subject = subjectOfMatch(matched);
  if (subject === undefined) throw new OAuthError('grant_assertion_subject_invalid');
  return { registration: withinRule(client, rule), workload: { subject, byRule, issuer } };
}
