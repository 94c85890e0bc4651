import type { EnvironmentReader } from './environment.ts';
import type { GatewayConfig } from './gateway-config.ts';
import { isLoopback } from './issuer.ts';
import type { ListenerConfig } from './listener-config.ts';

/** Development mode, and the switches that need it. */
export interface DevelopmentConfig {
  /**
   * Development mode (`DEVELOPMENT=true`) allows switches that must never reach production, so the
   * issuer and every listener must be on loopback.
   */
  readonly development: boolean;
  /** Percentage of valid DPoP nonces refused at random, so that clients can test their retry. */
  readonly dpopNonceRefusePercent: number;
}

/** Text for log and terminal at every start in development mode. */
export const developmentBanner =
  'DEVELOPMENT MODE (DEVELOPMENT=true): for this machine only, never for production.';

/** Reads `DEVELOPMENT` and the switches that need it; violations of its rules are faults. */
export function readDevelopmentConfig(
  read: EnvironmentReader,
  { issuer, host, port, adminHost, metrics, tls }: ListenerConfig,
  gateway: GatewayConfig | undefined,
): DevelopmentConfig {
  const development = read.flag('DEVELOPMENT', false);
  const dpopNonceRefusePercent = read.integer('DPOP_NONCE_REFUSE_PERCENT', 0, 0, 90);
  if (!development && dpopNonceRefusePercent > 0)
    read.faults.push('DPOP_NONCE_REFUSE_PERCENT needs DEVELOPMENT=true');
  if (development) {
    if (URL.canParse(issuer) && !isLoopback(new URL(issuer).hostname))
      read.faults.push('DEVELOPMENT=true needs ISSUER on loopback');
    const listeners = {
      ...(port !== undefined && { HOST: host }),
      ADMIN_HOST: adminHost,
      ...(metrics !== undefined && { METRICS_HOST: metrics.host }),
      ...(tls !== undefined && { TLS_HOST: tls.host }),
      ...(gateway !== undefined &&
        'host' in gateway.listen && { GATEWAY_HOST: gateway.listen.host }),
    };
    for (const [name, at] of Object.entries(listeners))
      if (!isLoopback(at)) read.faults.push(`DEVELOPMENT=true needs ${name} on loopback`);
  }
  return { development, dpopNonceRefusePercent };
}
