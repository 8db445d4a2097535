export async function runAgent(): Promise<undefined> { return undefined }
