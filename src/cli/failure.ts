import { HolderError, type HolderErrorCode } from '../../packages/client/src/holder-error.ts';
import { CommandError, type ExitCode, exitCodes } from './exit-codes.ts';

/** What the user reads, and the exit code. */
export interface Failure {
  readonly message: string;
  readonly exitCode: ExitCode;
}

const exitCodeOf: Readonly<Record<HolderErrorCode, ExitCode>> = {
  invalid_options: exitCodes.configuration,
  secret_in_browser: exitCodes.configuration,
  key_unavailable: exitCodes.configuration,
  platform_token_unavailable: exitCodes.configuration,
  server_unreachable: exitCodes.unreachable,
  server_metadata_invalid: exitCodes.configuration,
  token_refused: exitCodes.refused,
  token_response_invalid: exitCodes.failed,
  token_not_bound: exitCodes.failed,
  origin_not_allowed: exitCodes.usage,
  invalid_request: exitCodes.usage,
  redirect_refused: exitCodes.failed,
};

/** The sentence and the exit code of an error; undefined: it is a defect of the command. */
export function failureOf(error: unknown): Failure | undefined {
  if (error instanceof CommandError) return error;
  if (error instanceof HolderError)
    return { message: sentence(error.message), exitCode: exitCodeOf[error.code] };
  return undefined;
}

function sentence(text: string): string {
  const capital = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
