/** Exit codes of the command, the same for every subcommand. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  unreachable: 4,
  configuration: 5,
  differences: 6,
} as const;

/** An exit code of the command. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** A failure with a sentence for the user and an exit code. It never carries a secret. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

/** The arguments are wrong: exit code 2. */
export function usageError(message: string): CommandError {
  return new CommandError(exitCodes.usage, message);
}

/** A profile, a variable or a file is wrong: exit code 5. */
export function configurationError(message: string): CommandError {
  return new CommandError(exitCodes.configuration, message);
}

/** The command failed: exit code 1. */
export function failed(message: string): CommandError {
  return new CommandError(exitCodes.failed, message.trimEnd());
}
