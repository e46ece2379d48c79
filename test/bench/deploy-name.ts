/** Of the deploys of `npm run bench:capacity`, in the service and in the watches. */
export function deployName(index: number): string {
  return `d${String(index).padStart(4, '0')}`;
}
