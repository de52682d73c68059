from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('migrations_app', '0002_machine_verbs'),
    ]

    operations = [
        migrations.AlterField(
            model_name='command',
            name='verb',
            field=models.CharField(choices=[('pause', 'Pause'), ('resume', 'Resume'), ('abort', 'Abort'), ('rollback', 'Rollback')], max_length=16),
        ),
    ]
