// Why a file cannot be read, as a person is told it: without the system's own text.

/**
 * @param code of the error: `ENOENT`
 * @param named what the file is, in the advice
 */
export function unreadableText(code: string, named: 'log' | 'report'): string {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return named === 'log'
        ? 'is missing; correct the path'
        : 'is missing; write the report, or correct the path';
    case 'EACCES':
    case 'EPERM':
      return 'may not be read; give canaryd the right to';
    case 'ELOOP':
      return 'is a link that leads to itself; correct it';
    case 'ENXIO':
      return `is no regular file; name the ${named} itself`;
    default:
      return `cannot be read (${code})`;
  }
}
