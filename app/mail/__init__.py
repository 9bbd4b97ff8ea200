"""Letters to reviewers and words for pull requests: `compose` writes them (pure), `send` hands one to Amazon SES.

`jobs` calls both. boto3 and its errors stay in here; what comes out is a `MailError` with a reason of our own.
Never sends twice by itself, and never puts anything of a pull request into a header but through `compose`.
"""
