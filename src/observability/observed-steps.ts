import type { Tracing } from '../ports/tracing.ts';
import type { TokenEndpointSteps } from '../protocol/token/token-endpoint.ts';

/** Wraps a step so that an observer sees its start and end. */
export type ObserveStep = <Given extends unknown[], Result>(
  name: string,
  step: (...given: Given) => Promise<Result>,
) => (...given: Given) => Promise<Result>;

/** Measures a step, and traces it if traces are sent. */
export function timedStep(
  took: (step: string, seconds: number) => void,
  tracing: Pick<Tracing, 'step'> | undefined,
): ObserveStep {
  return (name, step) => {
    const run: typeof step =
      tracing === undefined ? step : async (...given) => tracing.step(name, () => step(...given));
    return (...given) => {
      const began = performance.now();
      const ended = () => took(name, (performance.now() - began) / 1000);
      const result = run(...given);
      // Not async: each of a token's seven steps would wait one more tick.
      void result.then(ended, ended);
      return result;
    };
  };
}

/** Wraps the steps of the token endpoint, each observed under its name. */
export function observedSteps(
  { refusals, ...steps }: TokenEndpointSteps,
  observed: ObserveStep,
): TokenEndpointSteps {
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
