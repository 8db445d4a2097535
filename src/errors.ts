import sys,subprocess
sys.stdin.read()
src=subprocess.check_output(['git','show','96eb8ef^:src/errors.ts'],cwd='/work/main',text=True)
row="""  IDENTITY_WITHHELD: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'The identity of this process is in quarantine or offboarded: the agent gives out nothing of it.',
    remedy:
      'Find out why with `sallyport quarantine list` or `sallyport offboard list`; it is given again as soon as that is lifted.',
  },
"""
src=src.replace("  NO_IDENTITY: {\n    grpc: 'PERMISSION_DENIED',",row+"  NO_IDENTITY: {\n    grpc: 'PERMISSION_DENIED',",1)
sys.stdout.write(src)
