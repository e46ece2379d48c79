// Server-sent events from a stream of text. Not EventSource: that cannot send a token.

/** @typedef {{ event: string, data: string, id: string | null }} Frame */

/** A frame is one watch as JSON; more than this is no frame of ours. */
const BUFFER_MAX = 4_000_000;

/** @param {(frame: Frame) => void} onFrame */
export function frameReader(onFrame) {
  let rest = '';
  /** @param {string} chunk */
  return (chunk) => {
    rest += chunk;
    if (rest.length > BUFFER_MAX) throw new Error('a frame of the stream is too long');
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const frame = frameOf(block);
      if (frame !== null) onFrame(frame);
    }
  };
}

/**
 * @param {string} block
 * @returns {Frame | null} null for a comment
 */
function frameOf(block) {
  let event = 'message';
  /** @type {string | null} */
  let id = null;
  /** @type {string[]} */
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field = '', value = ''] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
    if (field === 'event') event = value;
    if (field === 'id') id = value;
    if (field === 'data') data.push(value);
  }
  return data.length === 0 ? null : { event, data: data.join('\n'), id };
}
