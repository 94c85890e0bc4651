import type { Config } from '../config/config.ts';
import type { Ports } from '../ports/ports.ts';
import type { Refusals } from '../ports/refusals.ts';
import { issuerKeys } from '../protocol/trusted-issuers/issuer-keys.ts';
import { platformTokens } from '../protocol/trusted-issuers/platform-tokens.ts';
import { verifyTrustedIssuerToken } from '../protocol/trusted-issuers/verify-trusted-issuer-token.ts';
import { matchSvid } from '../protocol/trusted-issuers/x509-svid.ts';

/** Creates the checks of tokens and certificates from trusted issuers. */
export function trustParts(
  { issuer, assertionAlgs, clockTolerance }: Config,
  ports: Ports,
  refusals: Pick<Refusals, 'ofWorkload'>,
) {
  const keys = issuerKeys(ports.remoteJwkSets);
  const verify = verifyTrustedIssuerToken({
    ...ports,
    keys,
    issuer,
    // OpenID providers must offer RS256 (OpenID Connect Core §15.1), and few sign with another.
    algs: [...new Set([...assertionAlgs, 'RS256' as const])],
    clockTolerance,
  });
  return {
    verifyTrustedIssuerToken: verify,
    match: platformTokens({ ...ports, verify, refusals, clockTolerance }),
    matchSvid: matchSvid({ ...ports, keys, refusals }),
  };
}
