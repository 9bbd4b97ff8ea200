"""Letters to reviewers and words for pull requests: `question`, `news` and `comments` write them, `send` sends by SES.

`jobs` calls them. Pure are all but `send` and `ses`; boto3 and its errors stay in here, and what comes out is a
`MailError` with a reason of our own. Never sends twice by itself, and never puts anything of a pull request into a
header but through `compose`, which makes all of them of templates.
"""
