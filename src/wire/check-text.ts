/**
 * Checks that every string of a decoded message was valid UTF-8, as Protocol Buffers demand. The library puts U+FFFD where it was
 * not, so that two different ids could become one; a text that truly holds that character is refused along with them.
 *
 * @throws {TypeError} for whoever decodes to turn into its own error
 */
export function checkText<T>(message: T): T {
  if (typeof message === 'string') {
    if (message.includes('\u{fffd}')) throw new TypeError('A string is not valid UTF-8')
  } else if (typeof message === 'object' && message !== null && !ArrayBuffer.isView(message)) {
    for (const [name, value] of Object.entries(message)) {
      // Names of fields are ours, keys of maps are not.
      checkText(name)
      checkText(value)
    }
  }
  return message
}
