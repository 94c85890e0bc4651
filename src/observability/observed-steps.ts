import type { Tracing } from '../ports/tracing.ts';
import type { TokenEndpointSteps } from '../protocol/token/token-endpoint.ts';

/** Does the work of a step, and sees when it begins and how it ends. */
export type ObserveStep = <T>(step: string, work: () => Promise<T>) => Promise<T>;

/** Measures a step, and traces it where traces are sent. */
export function timedStep(
  took: (step: string, seconds: number) => void,
  tracing: Pick<Tracing, 'step'> | undefined,
): ObserveStep {
  return async (step, work) => {
    const began = performance.now();
    try {
      return await (tracing === undefined ? work() : tracing.step(step, work));
    } finally {
      took(step, (performance.now() - began) / 1000);
    }
  };
}

/** The steps of the token endpoint, each under its own name to whoever observes them. */
export function observedSteps(
  { refusals, ...steps }: TokenEndpointSteps,
  observe: ObserveStep,
): TokenEndpointSteps {
  const observed = <Given extends unknown[], Result>(
    name: string,
    step: (...given: Given) => Result | Promise<Result>,
  ) => {
    return async (...given: Given) => observe(name, async () => step(...given));
  };
  return {
    refusals,
    authenticateClient: observed('authenticate_client', steps.authenticateClient),
    validateGrant: observed('validate_grant', steps.validateGrant),
    provePossession: observed('prove_possession', steps.provePossession),
    proveAdditionalHolders: observed('prove_additional_holders', steps.proveAdditionalHolders),
    bind: observed('bind', steps.bind),
    issueIdJag: observed('issue_id_jag', steps.issueIdJag),
    issueAccessToken: observed('issue_access_token', steps.issueAccessToken),
    recordProvenKeys: observed('record_proven_keys', steps.recordProvenKeys),
  };
}
